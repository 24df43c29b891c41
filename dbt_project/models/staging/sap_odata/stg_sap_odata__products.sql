-- SAP's material master, one row a version.
with landed as (
    {{ versions('sap_odata', 'products') }}
)

select
    product as item_no,
    product_type,
    product_group,
    base_unit as base_uom,
    is_marked_for_deletion,
    {{ instant('created_at', 'created') }},
    {{ instant('changed_at', 'updated') }},
    {{ provenance() }}
from landed
