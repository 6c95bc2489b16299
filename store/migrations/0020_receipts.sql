-- What gateways say became of messages, and what people send back. Our own state of a message goes on after "sent".
alter table outbox drop constraint outbox_state_check;
alter table outbox add constraint outbox_state_check
    check (state in ('ready', 'leased', 'sent', 'delivered', 'undelivered', 'unknown', 'dead', 'skipped'));
alter table outbox
    add column handed_at timestamptz,                    -- real time; sent_at is the system's clock
    add column ask_at    timestamptz,                    -- real time: no receipt by then, so ask. NULL: nothing more is expected
    add column fate_code text,                           -- the gateway's own word, as it came
    add column fate_at   timestamptz;                    -- when it happened, as the gateway says
create index outbox_provider on outbox (channel, provider_id) where provider_id is not null;
-- Gateways that take only a short plain key are given this one (alerts.hooks.base.short_key). Immutable, as an index wants it:
-- convert_to is not called so only because encodings can be redefined.
create function short_key(key text) returns text language sql immutable strict parallel safe
    as $$ select left(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 32) $$;
create index outbox_short_key on outbox (short_key(idempotency_key));
create index outbox_handed on outbox (handed_at) where handed_at is not null;
create index outbox_ask on outbox (ask_at) where ask_at is not null;
create index outbox_phone on outbox (right(regexp_replace(phone, '\D', '', 'g'), 11), message_id) where handed_at is not null;

-- Each thing said of a message, once. Without a message: said before we knew the gateway's id of it, or of nothing of ours.
create table receipt (
    receipt_id   bigint      generated always as identity primary key,
    channel      text        not null,
    message_id   bigint      references outbox,
    provider_id  text,
    given_key    text,                                   -- our key or its short form, as the gateway repeats it
    number       text,
    fate         text        not null check (fate in ('delivered', 'undelivered', 'unknown')),
    code         text        not null default '',
    at           timestamptz,                            -- as the gateway says
    received_at  timestamptz not null default now()      -- real time
);
create index receipt_message on receipt (message_id) where message_id is not null;
create index receipt_provider on receipt (channel, provider_id) where message_id is null;
create index receipt_key on receipt (channel, given_key) where message_id is null;
create index receipt_unknown on receipt (received_at) where message_id is null;

create table reply (
    reply_id     bigint      generated always as identity primary key,
    channel      text        not null,
    message_id   bigint      references outbox,          -- the message it answers, as far as that can be known
    provider_id  text,
    sender       text        not null,
    text         text        not null,
    at           timestamptz,
    outcome      text        not null check (outcome in ('acknowledged', 'already', 'revoked', 'kept', 'stranger')),
    received_at  timestamptz not null default now()
);
create index reply_sender on reply (channel, sender, received_at);
create index reply_message on reply (message_id) where message_id is not null;
create index reply_stranger on reply (received_at) where message_id is null;
