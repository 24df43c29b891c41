-- The rules with what this installation wants otherwise. Whoever needs a grace reads it here.
{{ config(materialized='view') }}

select
    rules.* replace (
        cast(coalesce(settings.grace_minutes, rules.grace_minutes) as integer) as grace_minutes
    )
from {{ ref('rules') }} as rules
left join {{ source('config', 'rule_settings') }} as settings
    on rules.rule_id = settings.rule_id
