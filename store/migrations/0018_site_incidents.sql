-- Cameras of one site that fail together are one incident; which ones, and until when.
create table site_incident (
    centre       text        not null,
    site         text        not null,
    began        timestamptz not null,
    ended        timestamptz,
    reason       text        not null,                   -- together | overslept
    cameras      text[]      not null,                   -- those that failed in it
    watched      int         not null,                   -- cameras of the site
    seen_at      timestamptz not null,
    primary key (centre, site, began)
);
create index site_incident_open on site_incident (centre, site) where ended is null;
alter table source_state drop constraint source_state_kind_check;
alter table source_state add constraint source_state_kind_check check (kind in ('feed', 'camera', 'site'));
