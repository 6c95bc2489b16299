"""The composition root: settings, command line, process supervisor, demo centre. It alone imports every room."""
