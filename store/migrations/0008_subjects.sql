-- Subjects of the rules beyond cases, windows and sources: complaints, ratings, tickets, people's days, tenders … Which events speak
-- of which subject is known when an event is written, or found out later in slices, when a centre file turns a family on.

-- One row a subject, and when to look again; empty where no family is on.
create table subject_state (
    centre       text        not null,
    subject      text        not null,                   -- 'complaint:…', as in finding.subject
    look_at      timestamptz,                            -- as in case_state
    judged_at    timestamptz,
    judged_events int        not null default 0,
    status       jsonb       not null default '{}',
    failures     int         not null default 0,
    primary key (centre, subject)
);
create index subject_look_at on subject_state (centre, look_at) where look_at is not null;

-- Where the events of a subject lie: kind and moment lead to the row by its index, the arrival to the piece it lies in.
-- A subject may also be a window ('window:…'), for what concerns a window without naming it.
create table subject_event (
    centre       text        not null,
    subject      text        not null,
    occurred_at  timestamptz not null,
    source       text        not null,
    event_id     text        not null,
    kind         text        not null,
    arrived_at   timestamptz not null,
    primary key (centre, subject, occurred_at, source, event_id)
);

-- How far events stored before are linked. Each writer that begins to link says so: what others wrote since the one before
-- may lack links, and is gone through once more.
create table subject_linking (
    centre       text        primary key,
    signature    text        not null,                   -- of all that links depend on
    noted_at     timestamptz not null,
    arrived_from timestamptz not null default '-infinity',
    kind         text,                                   -- up to which event: kinds in order, within one by moment and identity
    occurred_at  timestamptz,
    source       text,
    event_id     text,
    done         boolean     not null default false
);

-- What families with "shadow: true" find. A table of its own, so that no screen, message, score or count can take it for issued.
create table shadow_finding (
    finding_id   text        primary key,
    rule         text        not null,
    severity     text        not null check (severity in ('notice', 'yellow', 'red')),
    centre       text        not null,
    case_id      text,
    item         text,
    window_id    text,
    subject      text        not null,
    opened_at    timestamptz not null,
    closed_at    timestamptz,
    state        text        not null check (state in ('open', 'closed', 'revoked')),
    revoked_at   timestamptz,
    revoked_reason text,
    due_at       timestamptz,
    provisional  boolean     not null default false,
    explain      jsonb       not null default '{}',
    issued_at    timestamptz not null,                   -- when it would have been issued
    updated_at   timestamptz not null
);
create index shadow_finding_subject on shadow_finding (centre, subject);
create index shadow_finding_opened on shadow_finding (centre, opened_at);
