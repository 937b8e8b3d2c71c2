"""Tests against real servers, for `make integration`; `make test` leaves them out."""
