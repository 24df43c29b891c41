"""Tryton 8.2 as ERP or as WMS: REST with a bearer key, keyset cursors, wizards over JSON-RPC."""
