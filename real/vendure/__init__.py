"""Vendure (commerce OMS, GPL-3): its own process, started here and driven over its GraphQL APIs."""
