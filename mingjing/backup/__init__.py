"""Backup and restore of a whole system: database, local log or positions on Kafka, centre file; never secrets."""
