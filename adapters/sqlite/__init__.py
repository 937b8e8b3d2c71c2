"""The embedded adapters: every port over SQLite files in one data directory."""
