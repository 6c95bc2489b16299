-- The evidence chain: what was found, done, told and looked at, each row hashing the one before (docs/evidence.md).
-- Ordinary tables: no retention names them.

create table evidence (
    centre       text        not null,
    seq          bigint      not null,                   -- 1, 2, 3 … without gaps, for each centre
    at           timestamptz not null,                   -- on the system's clock
    kind         text        not null,                   -- finding.opened, act.answered, message.sent, settings.in_force …
    subject      text        not null default '',
    finding_id   text,
    body         text        not null,                   -- JSON, hashed as it stands: text, because jsonb rewrites it
    body_hash    bytea       not null,
    prev_hash    bytea       not null,
    hash         bytea       not null,
    primary key (centre, seq)
);
create index evidence_finding on evidence (finding_id) where finding_id is not null;
create index evidence_subject on evidence (centre, subject, seq);

-- Where each chain ends: whoever appends holds its row until the transaction is over, so that no chain ever forks.
create table evidence_chain (
    centre       text        primary key,
    seq          bigint      not null default 0,
    hash         bytea       not null default decode(repeat('00', 32), 'hex'),
    at           timestamptz
);

-- The last row of each day (UTC), and of whatever moment somebody signed: what is kept elsewhere proves the rest.
create table evidence_head (
    centre       text        not null,
    seq          bigint      not null,
    day          date        not null,
    hash         bytea       not null,
    signed_at    timestamptz,
    signature    bytea,                                  -- Ed25519 over the canonical head
    public_key   bytea,
    number       bigint      generated always as identity primary key
);
create index evidence_head_centre on evidence_head (centre, seq);

create function evidence_only_grows() returns trigger language plpgsql as $$
begin
    raise exception '% on % is refused: evidence only grows', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger evidence_only_grows before update or delete or truncate on evidence
    for each statement execute function evidence_only_grows();
create trigger evidence_head_only_grows before update or delete or truncate on evidence_head
    for each statement execute function evidence_only_grows();

-- The life of a finding as an act, beside what the rules say of its cause (state): the newest step of a person.
alter table finding add column life text not null default 'open' check (life in
    ('open', 'acknowledged', 'answered', 'appealed', 'upheld', 'revoked', 'rectified', 'closed'));
-- A person who revoked it (on appeal, or of his own motion): no later judging opens it again.
alter table finding add column revoked_person text;
