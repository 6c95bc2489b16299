"""Nets that find people: one module for each family, one interface (:class:`detectors.presence.nets.net.PersonNet`)."""
