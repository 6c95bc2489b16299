"""The inspectors' desk, wired: what it is handed, and its accounts from the command line."""
