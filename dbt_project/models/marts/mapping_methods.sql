-- What became of values that may be dirty: rows by column and method, with the texts kept as such.
select
    system,
    entity,
    column_name,
    method,
    -- Texts that were kept or refused are few and worth reading; mapped ones are the data itself.
    case when method in ('kept', 'unmapped') then source_value end as kept_value,
    count(*) as value_count
from {{ ref('int_mapping_methods') }}
group by all
