-- Balances by what they are of: one system may keep an item of one place under several names, as a
-- building of two storage locations, and then holds the sum.
-- What several channels offer are copies of one stock, and no sum. Of what one record tells in a
-- unit that nobody knows there is no sum either.
-- A position that two whole lists running leave out holds nothing there: one miss is no proof.
with told as (
    select
        system,
        any_value(role) as role,
        any_value(entity) as entity,
        item_id,
        location_id,
        state,
        channel,
        extraction_id,
        case when count(quantity) = count(*) then try_cast(sum(quantity) as decimal(18, 6)) end
            as quantity,
        min(as_of) as as_of,
        min(as_of_from) as as_of_from,
        max(as_of_to) as as_of_to,
        min(seen_at) as seen_at,
        min(record_id) as record_id,
        min(raw_key) as raw_key,
        -- Several names are no name by which the balance could be set.
        case when min(source_item) = max(source_item) then min(source_item) end as source_item,
        case when min(source_location) = max(source_location) then min(source_location) end
            as source_location,
        count(*) as record_count
    from {{ ref('inventory_positions') }}
    where item_id is not null and location_id is not null
    group by system, extraction_id, item_id, location_id, state, channel
),

listed as (
    select
        system,
        entity,
        extraction_id,
        item_id,
        location_id,
        max(record_count) as record_count,
        max(as_of) as as_of,
        min(as_of_from) as as_of_from,
        max(as_of_to) as as_of_to,
        min(seen_at) as seen_at
    from told
    group by system, entity, extraction_id, item_id, location_id
),

-- Read whole, nothing refused, and every record of a known item at a known place.
whole_lists as (
    select
        listed.system,
        listed.entity,
        listed.extraction_id,
        max(listed.as_of) as as_of,
        min(listed.as_of_from) as as_of_from,
        max(listed.as_of_to) as as_of_to,
        min(listed.seen_at) as seen_at,
        row_number() over (
            partition by listed.system, listed.entity order by max(listed.as_of_to)
        ) as nth,
        count(*) over (partition by listed.system, listed.entity) as list_count,
        count(*) as position_count
    from listed
    inner join {{ ref('stg_log__extractions') }} as extractions
        on
            listed.system = extractions.system
            and listed.entity = extractions.entity
            and listed.extraction_id = extractions.extraction_id
    where
        extractions.is_complete
        and not extractions.has_cursor
        and coalesce(extractions.quarantined_count, 0) = 0
    group by
        listed.system, listed.entity, listed.extraction_id, extractions.record_count
    having sum(listed.record_count) = extractions.record_count
),

in_whole_lists as (
    select
        listed.system,
        listed.entity,
        listed.extraction_id,
        listed.item_id,
        listed.location_id,
        whole_lists.nth,
        whole_lists.list_count,
        whole_lists.position_count
    from listed
    inner join whole_lists
        on
            listed.system = whole_lists.system
            and listed.entity = whole_lists.entity
            and listed.extraction_id = whole_lists.extraction_id
),

-- Nearly all are in every list since their first one: the rest is not looked at again.
left_out as (
    select
        system,
        entity,
        item_id,
        location_id
    from in_whole_lists
    group by system, entity, item_id, location_id
    having count(*) <= max(list_count) - min(nth)
),

gaps as (
    select
        in_whole_lists.*,
        lead(in_whole_lists.nth, 1, in_whole_lists.list_count + 1) over (
            partition by
                in_whole_lists.system, in_whole_lists.entity,
                in_whole_lists.item_id, in_whole_lists.location_id
            order by in_whole_lists.nth
        ) as next_nth
    from in_whole_lists
    semi join left_out
        on
            in_whole_lists.system = left_out.system
            and in_whole_lists.entity = left_out.entity
            and in_whole_lists.item_id = left_out.item_id
            and in_whole_lists.location_id = left_out.location_id
    qualify next_nth > in_whole_lists.nth + 2
),

-- Far more at once than a warehouse empties is how a lost right to read looks.
gone as (
    select *
    from gaps
    qualify
        count(*) over (partition by system, entity, nth) <= greatest(20, position_count * 0.02)
),

-- What is wanted or offered somewhere is no stock that could be gone.
vanished as (
    select
        told.* replace (
            whole_lists.extraction_id as extraction_id,
            cast(0 as decimal(18, 6)) as quantity,
            whole_lists.as_of as as_of,
            whole_lists.as_of_from as as_of_from,
            whole_lists.as_of_to as as_of_to,
            whole_lists.seen_at as seen_at,
            cast(0 as bigint) as record_count
        )
    from gone
    inner join whole_lists
        on
            gone.system = whole_lists.system
            and gone.entity = whole_lists.entity
            and gone.nth < whole_lists.nth
            and gone.next_nth > whole_lists.nth
    inner join told
        on
            gone.system = told.system
            and gone.entity = told.entity
            and gone.extraction_id = told.extraction_id
            and gone.item_id = told.item_id
            and gone.location_id = told.location_id
    where told.state not in ('available', 'reorder_point')
)

select * from told
union all by name
select * from vanished
