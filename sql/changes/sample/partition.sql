-- does: makes the partition of PARENT for the month of MONTH where it is missing
-- privileges: the owner of the table
-- since: 15
-- cost: milliseconds; locks the referenced tables against writers for as long, and gives up after half a second
SELECT admin.create_monthly_partition(:'parent'::text, :'month'::date);
