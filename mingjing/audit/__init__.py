"""Evidence for others: heads that are signed, bundles for an inspector, and their verification without a database."""
