"""SAP S/4HANA over OData V2: basic auth, CSRF tokens, /Date()/, entity tags, $batch."""
