-- A retry of many gives its place to others now and then: from when on this part may go on, which is its place in the line, too.
ALTER TABLE retry_parts ADD COLUMN ready_at timestamptz NOT NULL DEFAULT now();

-- What was sent again a moment ago, at somebody's wish: asked for twice at the same moment, it is sent once. An endpoint that is
-- empty stands for all that want the event. A company's rows are forgotten when it asks for something a minute later.
CREATE TABLE sent_again (
    company text NOT NULL,
    event text NOT NULL,
    endpoint text NOT NULL,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (company, event, endpoint)
);
CREATE INDEX sent_again_by_time ON sent_again (company, sent_at);
