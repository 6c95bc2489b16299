-- The wall counts the messages of the day; the outbox only grows.
create index outbox_sent on outbox (centre, sent_at) where sent_at is not null;
