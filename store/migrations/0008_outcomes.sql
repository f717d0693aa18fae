-- Deliveries by how their last attempt ended. Most end well, and those need no index to be found. Behind the time stands what a
-- list may be asked for besides, as in the other indexes of the log.
CREATE INDEX deliveries_by_outcome ON deliveries (company, last_outcome, created_at, endpoint, type, status)
    WHERE last_outcome <> 'delivered';
