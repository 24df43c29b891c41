-- Union of the adapters that tell how each value was read.
select * from {{ ref('int_mapping_methods__files') }}
