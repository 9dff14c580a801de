"""The project file, harness.toml: what a repository's commands take where the command line does not say it."""
