-- Unmet duties that a record may meet which we have, but can't use yet. That is not absence.
with quarantined as (
    select
        system,
        entity,
        reference,
        'quarantined: ' || reason_code as held_reason
    from {{ ref('int_open_quarantine') }}
),

unusable as (
    select
        system,
        entity,
        case when object_type = 'purchase_order' then coalesce(party_reference, document)
            -- What names no other document is known by its own number.
            else coalesce(document, own_document)
        end as reference,
        case
            when milestone = 'unmapped' then 'unmapped code: ' || coalesce(source_status, '')
            when object_type = 'purchase_order' then 'nobody knows which customer it is of'
            else 'not linked to an order line yet'
        end as held_reason
    from {{ ref('order_events') }}
    where
        milestone = 'unmapped'
        or (
            object_type = 'order_line'
            and order_line_id is null
            and reversed_to is null
            -- What is only expected meets no duty: a label may be printed long before its parcel.
            -- Nor does a line's first scan, on which duties rest: those it meets are the parcel's.
            and milestone not in ('delivery_expected', 'in_transit')
        )
        -- Whose order it is decides which one of the number it is.
        or (object_type = 'purchase_order' and party_id is null and reversed_to is null)
),

gaps as (
    select * from quarantined
    union all
    select * from unusable
),

-- What moved under a type that no mapping knows may be the movement that is waited for. A balance
-- counts it whatever its type.
untyped_movements as (
    select
        system,
        entity,
        document as reference,
        'unmapped code: ' || coalesce(source_type, '') as held_reason
    from {{ ref('inventory_movements') }}
    where movement_kind = 'unmapped' and document is not null
),

document_gaps as (
    select * from gaps
    union all
    select * from untyped_movements
),

-- The orders that any record which we can use knows by what such a record refers to: a shipment may
-- name the ERP's document, which the duty to ship the line does not go by.
order_references as (
    select
        order_id,
        unnest(list_distinct([document, own_document])) as reference
    from {{ ref('order_events') }}
    where
        order_id is not null
        and (
            document in (select gaps.reference from gaps)
            or own_document in (select gaps.reference from gaps)
        )
),

order_gaps as (
    select distinct
        gaps.system,
        gaps.entity,
        gaps.held_reason,
        order_references.order_id
    from gaps
    inner join order_references
        on gaps.reference = order_references.reference
),

unmet as (
    select
        obligation_id,
        rule_id,
        family,
        a_system,
        object_id,
        order_id,
        is_linked,
        list_distinct([object_id, order_id, document, own_document]) as reference_keys
    from {{ ref('obligations') }}
    where end_to is null
),

by_reference as (
    select
        unmet.rule_id,
        unmet.a_system,
        unmet.obligation_id,
        unnest(unmet.reference_keys) as reference
    from unmet
),

-- A balance sums up documents: one that we can't use concerns the positions to which any system
-- posts it. (Of a balance that we can't use itself, nothing is judged.)
movement_gaps as (
    select *
    from gaps
    where
        exists (
            select 1
            from {{ ref('inventory_movements') }} as movements
            where movements.system = gaps.system and movements.entity = gaps.entity
        )
),

gap_positions as (
    select distinct
        movement_gaps.reference,
        movements.item_id || '@' || movements.location_id as position_id
    from movement_gaps
    inner join {{ ref('inventory_movements') }} as movements
        on movement_gaps.reference = movements.document
),

held as (
    select
        by_reference.obligation_id,
        document_gaps.held_reason
    from by_reference
    inner join document_gaps
        on by_reference.reference = document_gaps.reference
    inner join {{ ref('rule_evidence') }} as evidence
        on
            by_reference.rule_id = evidence.rule_id
            and by_reference.a_system = evidence.a_system
            and document_gaps.system = evidence.system
            and document_gaps.entity = evidence.entity
    union all
    select
        unmet.obligation_id,
        order_gaps.held_reason
    from order_gaps
    inner join {{ ref('rule_evidence') }} as evidence
        on order_gaps.system = evidence.system and order_gaps.entity = evidence.entity
    inner join unmet
        on
            evidence.rule_id = unmet.rule_id
            and evidence.a_system = unmet.a_system
            and order_gaps.order_id = unmet.order_id
    union all
    -- Whose reference can't be read may be anybody's.
    select
        unmet.obligation_id,
        gaps.held_reason
    from gaps
    inner join {{ ref('rule_evidence') }} as evidence
        on gaps.system = evidence.system and gaps.entity = evidence.entity
    inner join unmet
        on evidence.rule_id = unmet.rule_id and evidence.a_system = unmet.a_system
    where gaps.reference is null
    union all
    -- A movement that no other system knows may be any position's.
    select
        unmet.obligation_id,
        movement_gaps.held_reason
    from movement_gaps
    inner join {{ ref('rule_evidence') }} as evidence
        on movement_gaps.system = evidence.system and movement_gaps.entity = evidence.entity
    inner join unmet
        on
            evidence.rule_id = unmet.rule_id
            and evidence.a_system = unmet.a_system
            and unmet.family = 'balance'
    left join gap_positions
        on movement_gaps.reference = gap_positions.reference
    where gap_positions.reference is null or gap_positions.position_id = unmet.object_id
    union all
    select
        unmet.obligation_id,
        'not linked to an order line yet' as held_reason
    from unmet
    where not unmet.is_linked
)

select
    obligation_id,
    min(held_reason) as held_reason
from held
group by obligation_id
