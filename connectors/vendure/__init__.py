"""Vendure (commerce OMS): Admin GraphQL, errors in answers of status 200, money in minor units."""
