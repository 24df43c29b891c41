-- Milestones of order lines as the demo OMS tells them, one row a version and milestone.
with milestones as (
    select
        *,
        unnest(
            [
                struct_pack(
                    milestone := 'captured',
                    occurred_at := placed_at,
                    recorded_from := placed_from,
                    recorded_to := placed_to
                ),
                -- Told by the line that replaces, of the line that it replaces.
                struct_pack(
                    milestone := 'replaced',
                    occurred_at := placed_at,
                    recorded_from := placed_from,
                    recorded_to := placed_to
                ),
                struct_pack(
                    milestone := 'accepted',
                    occurred_at := accepted_at,
                    recorded_from := accepted_from,
                    recorded_to := accepted_to
                ),
                -- These two may be back-dated by whoever writes them: what the record told of
                -- itself is when it happened; it was written between our last look and its update.
                struct_pack(
                    milestone := 'cancelled',
                    occurred_at := cancelled_at,
                    recorded_from := {{ written_from('cancelled') }},
                    recorded_to := {{ written_to('cancelled') }}
                ),
                struct_pack(
                    milestone := 'delivered',
                    occurred_at := delivered_at,
                    recorded_from := {{ written_from('delivered') }},
                    recorded_to := {{ written_to('delivered') }}
                )
            ],
            recursive := true
        )
    from {{ ref('stg_demo_oms__order_lines') }}
),

products as (
    select
        system,
        sku,
        gtin
    from {{ ref('stg_demo_oms__products') }}
    qualify row_number() over (partition by system, sku order by version_number desc) = 1
)

select
    milestones.system,
    'order_lines' as entity,
    milestones.record_id,
    milestones.version_number,
    milestones.milestone,
    milestones.line_status as source_status,
    milestones.line_status_mapping_method as mapping_method,
    milestones.occurred_at is not null as is_set,
    'order_line' as object_type,
    'order_line' as link_type,
    case milestones.milestone
        when 'replaced' then milestones.replaces
        else milestones.order_number || '/' || milestones.line_number
    end as link_key,
    milestones.system as link_system,
    milestones.order_number as document,
    milestones.order_record as own_document,
    cast(milestones.line_number as varchar) as line_record,
    milestones.customer_ref as party_id,
    milestones.customer_po as party_reference,
    products.gtin as item_id,
    cast(null as varchar) as location_id,
    {{ base_quantity('demo_oms', 'milestones.quantity', 'milestones.uom') }} as quantity,
    milestones.unit_price,
    milestones.currency,
    milestones.occurred_at,
    cast(null as timestamptz) as promised_at,
    milestones.recorded_from,
    milestones.recorded_to,
    case when milestones.occurred_at is null then milestones.updated_from end as reversed_from,
    case when milestones.occurred_at is null then milestones.updated_to end as reversed_to,
    cast(null as varchar) as origin,
    milestones.seen_at,
    milestones.is_first_load,
    milestones.raw_key
from milestones
left join products
    on milestones.system = products.system and milestones.sku = products.sku
where
    (milestones.occurred_at is not null or milestones.version_number > 1)
    and (milestones.milestone <> 'replaced' or milestones.replaces is not null)
