-- A revocation asks which messages a finding already caused; without this it read the whole outbox, 100 ms at 200,000 rows.
create index outbox_finding on outbox (finding_id);
