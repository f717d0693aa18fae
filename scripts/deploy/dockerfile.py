def checks(): return []
