-- Ordinary tables: nothing in this file is ever touched by a retention policy.

create table event (
    source       text        not null,
    event_id     text        not null,
    seq          bigint      generated always as identity,
    kind         text        not null,
    occurred_at  timestamptz not null,
    entered_at   timestamptz,
    received_at  timestamptz not null,
    centre       text        not null,
    window_id    text,
    case_id      text,
    item         text,
    staff        text,
    data         jsonb       not null default '{}',
    content_hash bytea       not null,
    primary key (source, event_id)
);
create index event_case on event (centre, case_id, occurred_at) where case_id is not null;
create index event_window on event (centre, window_id, occurred_at) where window_id is not null;
create index event_kind on event (centre, kind, occurred_at);

-- What cases were judged by: limits, office hours and rules in force at their start (contract, rule 9). Few rows: one for
-- each content of the centre file that any case began under.
create table settings_version (
    settings_id  text        primary key,                -- SHA-256 of the content
    content      jsonb       not null,
    first_used   timestamptz not null
);

-- One row a case: what the fold of its events says, and when to look again.
create table case_state (
    centre       text        not null,
    case_id      text        not null,
    item         text,
    window_id    text,
    status       text        not null default 'new',   -- new | received | accepted | suspended | supplementing | stopped | …
    started_at   timestamptz,
    stopped_at   timestamptz,
    promised_due timestamptz,
    legal_due    timestamptz,
    provisional  boolean     not null default false,
    settings_id  text        references settings_version, -- kept from the first judging after the start (rule 9)
    look_at      timestamptz,                           -- '-infinity' = judge now; null = nothing can change without an event
    judged_at    timestamptz,
    judged_events int        not null default 0,        -- how many events the last judging saw
    ineffective  bytea[]     not null default '{}',     -- dead letters of its events that have no effect
    failures     int         not null default 0,        -- a row that cannot be judged is pushed ahead, never stops the loop
    primary key (centre, case_id)
);
create index case_look_at on case_state (centre, look_at) where look_at is not null;
create index case_window on case_state (centre, window_id) where stopped_at is null;

-- One row a window: what its posts' cameras say now, and when to look again.
create table window_state (
    centre       text        not null,
    window_id    text        not null,
    presence     text        not null default 'unknown', -- present | absent | unknown
    reason       text        default 'no_frame',
    since        timestamptz,
    seen_at      timestamptz,                            -- newest observation of any post: the age of the data
    desk         text        not null default 'open',    -- open | paused | closed, by window.* events
    desk_at      timestamptz,                            -- occurred_at of the event that said so: an older one changes nothing
    method       text,
    look_at      timestamptz,
    judged_at    timestamptz,
    failures     int         not null default 0,
    primary key (centre, window_id)
);
create index window_look_at on window_state (centre, look_at) where look_at is not null;

create table camera_state (
    centre       text        not null,
    camera       text        not null,
    state        text        not null,                   -- present = delivers, unknown = does not
    reason       text,
    since        timestamptz,
    seen_at      timestamptz,
    primary key (centre, camera)
);

-- Spans of one answer per post; until is null for the one that goes on.
create table presence_span (
    centre       text        not null,
    window_id    text        not null,
    camera       text        not null,
    post         text        not null,
    since        timestamptz not null,
    until        timestamptz,
    state        text        not null,
    reason       text,
    seen_at      timestamptz not null,                   -- last moment an observation vouched for it
    method       text,
    observation_id text      not null,                   -- the one that began it
    observed_at  timestamptz not null,                   -- and its moment (since may lie before)
    primary key (centre, camera, post, since, observation_id)
);
create index presence_span_window on presence_span (centre, window_id, since desc);
create index presence_span_post on presence_span (centre, camera, post, observed_at desc);
create unique index presence_span_open on presence_span (centre, camera, post) where until is null;

-- One row a source (a system that sends events, or a camera): when it last gave a sign of life, and when to look whether
-- it has gone silent.
create table source_state (
    centre       text        not null,
    kind         text        not null check (kind in ('feed', 'camera')),
    source       text        not null,
    name         text        generated always as (kind || ':' || source) stored,
    last_at      timestamptz not null,                   -- newest sign of life, on the system's clock
    last_event   timestamptz,                            -- feeds: newest occurred_at
    state        text        not null default 'speaking', -- speaking | silent, as last judged
    silent_from  timestamptz,                            -- the sign of life after which it went silent …
    heard_at     timestamptz,                            -- … and the first one since, until the silence is judged over
    look_at      timestamptz,
    judged_at    timestamptz,
    failures     int         not null default 0,
    primary key (centre, kind, source)
);
create index source_look_at on source_state (centre, look_at) where look_at is not null;

create table finding (
    finding_id   text        primary key,
    rule         text        not null,
    severity     text        not null check (severity in ('notice', 'yellow', 'red')),
    centre       text        not null,
    case_id      text,
    item         text,
    window_id    text,
    subject      text        not null,                   -- 'case:…', 'window:…', 'camera:…', 'source:…': what was judged
    opened_at    timestamptz not null,
    closed_at    timestamptz,
    state        text        not null check (state in ('open', 'closed', 'revoked')),
    revoked_at   timestamptz,
    revoked_reason text,
    revoked_by   text,                                   -- the event that proved it wrong
    due_at       timestamptz,
    provisional  boolean     not null default false,
    explain      jsonb       not null default '{}',
    issued_at    timestamptz not null,                   -- when this system said so
    acknowledged_at timestamptz,
    acknowledged_by text,
    updated_at   timestamptz not null
);
create index finding_open on finding (centre, severity, opened_at) where state = 'open';
create index finding_subject on finding (centre, subject);
create index finding_opened on finding (centre, opened_at desc);
create index finding_window on finding (centre, window_id) where state = 'open';

-- Every change of a finding, never updated.
create table finding_step (
    step_id      bigint      generated always as identity primary key,
    finding_id   text        not null references finding,
    at           timestamptz not null,
    step         text        not null,                   -- opened | closed | revoked | acknowledged | reopened | …
    person       text,
    detail       jsonb       not null default '{}'
);
create index finding_step_finding on finding_step (finding_id);

-- Messages are written with the finding, leased, sent, confirmed. Template + values, never free text.
create table outbox (
    message_id   bigint      generated always as identity primary key,
    idempotency_key text     not null unique,             -- finding + recipient + step: the gateway sees the same one at every try
    finding_id   text        references finding,
    centre       text        not null,
    person       text        not null,
    phone        text        not null,
    channel      text        not null,                    -- http | log
    template     text        not null,
    params       jsonb       not null default '{}',
    state        text        not null default 'ready'
                 check (state in ('ready', 'leased', 'sent', 'delivered', 'dead', 'skipped')),
    reason       text,                                    -- why skipped or dead
    attempts     int         not null default 0,
    next_try_at  timestamptz not null,
    give_up_at   timestamptz not null,
    leased_by    text,
    leased_until timestamptz,
    provider_id  text,
    last_error   text,
    created_at   timestamptz not null,
    sent_at      timestamptz,
    delivered_at timestamptz,
    ack_token    text        unique,                      -- hash of the token in the link
    ack_expires_at timestamptz,
    acknowledged_at timestamptz
);
create index outbox_due on outbox (next_try_at) where state in ('ready', 'leased');

create table dead_letter (
    letter_id    bigint      generated always as identity primary key,
    fingerprint  bytea       not null unique,              -- of origin, raw and code: the same bad line again only counts up
    origin       text        not null,                     -- door | topic | import | fold | …
    place        text,                                     -- line, index, partition:offset
    code         text        not null,
    field        text,
    reason       text        not null,
    raw          bytea       not null,
    times        int         not null default 1,
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    state        text        not null default 'waiting' check (state in ('waiting', 'replayed', 'resolved')),
    replayed_at  timestamptz
);
create index dead_letter_waiting on dead_letter (last_at desc) where state = 'waiting';

-- Who is alive. role: worker, rules, cameras, sender, wall, door, simulator, feed:<source>, camera:<id>
create table heartbeat (
    role         text        not null,
    instance     text        not null default '',
    at           timestamptz not null,                      -- the system's clock (simulated in a demo)
    real_at      timestamptz not null default now(),
    detail       jsonb       not null default '{}',
    primary key (role, instance)
);
