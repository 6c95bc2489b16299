-- Pictures as evidence (docs/pictures.md). Ordinary tables: no retention of series names them.

-- Which pictures a finding asks the machines of its cameras for. Written in the transaction of the finding.
create table picture_wanted (
    finding_id   text        not null references finding,
    camera       text        not null,
    post         text        not null,
    part         text        not null check (part in ('begin', 'end')),
    centre       text        not null,
    since        timestamptz not null,
    opened_at    timestamptz not null,
    until        timestamptz,
    over         timestamptz,
    ended_by     text,
    state        text        not null default 'wanted' check (state in ('wanted', 'answered', 'given_up', 'cancelled')),
    missing      jsonb       not null default '[]',      -- [[role, reason], …]
    asked_at     timestamptz not null,
    not_before   timestamptz not null,                   -- the pictures after the moment have to be taken first
    give_up_at   timestamptz not null,
    attempts     int         not null default 0,
    tried_by     text[]      not null default '{}',      -- machines that had nothing: another one may ask before the moment
    answered_at  timestamptz,
    primary key (finding_id, camera, post, part)
);
create index picture_wanted_due on picture_wanted (centre, camera, not_before) where state = 'wanted';

-- The pictures themselves, each once, named by what it is. Black outside what may be kept before it was ever written.
create table evidence_picture (
    sha256       bytea       primary key,
    size         int         not null,
    content      bytea,                                  -- null: deleted, see deleted_reason and the chain
    stored_at    timestamptz not null,
    deleted_at   timestamptz,
    deleted_reason text,
    check ((content is null) = (deleted_at is not null))
);
-- A JPEG is compressed already.
alter table evidence_picture alter column content set storage external;

create table finding_picture (
    finding_id   text        not null references finding,
    camera       text        not null,
    post         text        not null,
    role         text        not null check (role in ('before', 'first', 'sample', 'opened', 'last', 'back')),
    sha256       bytea       not null references evidence_picture,
    centre       text        not null,
    state        text,                                   -- what the look at this very picture saw
    taken_at     timestamptz not null,                   -- on the host's clock
    clock_offset double precision,                       -- seconds by which the camera's own clock was ahead; null: unknown
    linked_at    timestamptz not null,
    primary key (finding_id, camera, post, role, sha256, taken_at)
);
create index finding_picture_of on finding_picture (sha256);

-- What was deleted of the cameras' loops; the hashes themselves stand in a file whose SHA-256 is the digest.
create table picture_deletion (
    centre       text        not null,
    camera       text        not null,
    digest       bytea       not null,
    day          date        not null,
    reason       text        not null,                   -- age | disk
    pictures     int         not null,
    bytes        bigint      not null,
    first_at     timestamptz,
    last_at      timestamptz,
    deleted_at   timestamptz not null,
    host         text        not null default '',
    primary key (centre, camera, day, digest, deleted_at)
);
create index picture_deletion_day on picture_deletion (centre, day);

-- Findings that were revoked, for the end of their pictures.
create index finding_revoked on finding (revoked_at) where state = 'revoked';
