"""The production hot store: event store, snapshots, trees and failed events over CQL (ScyllaDB, or Cassandra 5)."""
