-- Messages as a pipeline: what is not sent at once waits here with its reason, what is told in another message says in which,
-- and what could not be delivered goes on by the next channel.
alter table outbox drop constraint outbox_state_check;
alter table outbox add constraint outbox_state_check
    check (state in ('held', 'ready', 'leased', 'sent', 'delivered', 'undelivered', 'unknown', 'dead', 'skipped', 'gathered'));
alter table outbox
    add column why        text,                          -- opened | reopened | revoked | late | reminder | escalation | next_channel | digest | system | test
    add column route      text,                          -- id of the route that chose the person; NULL: the lists by severity
    add column level      int         not null default 0, -- of the escalation: 0 is who is told first
    add column detail     jsonb       not null default '{}', -- what `reason` needs to be checked: the inhibitor, the silence, the budget
    add column fallback   jsonb       not null default '[]', -- [[channel, address], …] still to be tried after this one, in order
    add column follows    bigint      references outbox, -- the message in whose place this one goes, by the next channel
    add column held_until timestamptz,                   -- system's clock; with state 'held'
    add column gather     text,                          -- those held under one name for one person leave as one message
    add column digest_id  bigint      references outbox, -- 'gathered': the message this one is told in
    add column first_try_at timestamptz;                 -- real time: a channel that fails for too long loses the message to the next
-- A channel's turn in a backlog of thousands, written in one moment: found without reading all of it.
drop index outbox_due;
create index outbox_due on outbox (channel, next_try_at, message_id) where state in ('ready', 'leased');
create index outbox_held on outbox (centre, held_until) where state = 'held';
create index outbox_told on outbox (digest_id) where digest_id is not null;
create unique index outbox_follows on outbox (follows) where follows is not null;
create index outbox_of_day on outbox (phone, created_at) where state not in ('skipped', 'gathered');
create index outbox_held_for on outbox (phone) where state = 'held';
create index outbox_given_up on outbox (next_try_at) where state in ('dead', 'unknown');

-- Who wanted no messages, of what, why and until when. An edit ends one and begins another: history is never changed.
create table silence (
    silence_id   bigint      generated always as identity primary key,
    centre       text        not null,
    match        jsonb       not null,                   -- as in a route: rule, severity, window, department, item, case, person
    author       text        not null,
    reason       text        not null check (reason <> ''),
    starts_at    timestamptz not null,                   -- system's clock, as all moments here
    ends_at      timestamptz not null check (ends_at > starts_at),
    recurring    jsonb,                                  -- {days: [working, rest, mon …], hours: ["18:00-08:00"]} inside the span; NULL: all of it
    created_at   timestamptz not null,
    ended_at     timestamptz,                            -- before its time
    ended_by     text
);
create index silence_open on silence (centre, ends_at) where ended_at is null;

-- A finding whose messages go on until somebody acts. A row is there as long as something is to come; `next_at` is found, not timed.
create table escalation (
    finding_id   text        primary key references finding,
    centre       text        not null,
    route        text,
    since        timestamptz not null,                   -- system's clock: when the first message was due
    level        int         not null default 0,         -- steps of the escalation that are done
    reminders    int         not null default 0,
    next_at      timestamptz not null
);
create index escalation_due on escalation (centre, next_at);

-- A channel that its provider refuses for good (key revoked, account in arrears) is off until an operator says otherwise.
create table channel_state (
    channel      text        primary key,
    off_since    timestamptz not null,                   -- real time
    reason       text        not null,
    error        text        not null default ''
);

-- What is wrong with the system itself, as long as it is: told once, then once a day, until it is over.
create table trouble (
    name         text        primary key,                -- what, and of which channel: channel_off:sms
    since        timestamptz not null,                   -- real time, as all moments here
    seen_at      timestamptz not null,                   -- last found
    told_at      timestamptz,                            -- last message about it; NULL: too young to be told
    times        int         not null default 0,         -- messages about it
    detail       jsonb       not null default '{}'
);
