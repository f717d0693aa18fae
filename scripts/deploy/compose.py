def checks(skip): return []
