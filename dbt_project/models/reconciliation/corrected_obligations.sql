-- Duties on which we corrected something: an accepted correction of the same rule and object. All
-- others that ended did so by themselves.
{{ config(materialized='view') }}

select distinct obligations.obligation_id
from {{ ref('obligations') }} as obligations
inner join {{ ref('stg_tallyman__corrections') }} as corrections
    on
        obligations.rule_id = corrections.rule_id
        and corrections.object_id in (
            obligations.object_id, obligations.order_id, obligations.document,
            obligations.own_document
        )
where corrections.accepted_at is not null
