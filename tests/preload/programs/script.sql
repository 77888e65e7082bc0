-- Rows, indexes, joins, text, window functions, vacuum. ROWS is replaced by the number of rows.
create table t(id integer primary key, k integer, name text, blob_ blob);
with recursive c(i) as (select 1 union all select i + 1 from c where i < ROWS)
insert into t select i, i * 7919 % 10007, 'name' || (i * 31 % 65537), zeroblob(i % 200) from c;
create index t_k on t(k);
create index t_name on t(name, k);
select count(*), sum(k), min(name), max(name), sum(length(blob_)) from t;
select k % 10 g, count(*), group_concat(distinct name) is not null, total(id) from t group by g order by g;
update t set name = name || '-' || k where k % 3 = 0;
delete from t where k % 11 = 0;
select count(*), sum(length(name)) from t;
select a.k, count(*) from t a join t b on a.k = b.id where a.id % 100 = 0 group by a.k order by 2 desc, 1 limit 20;
select sum(r) from (select row_number() over (partition by k % 100 order by name) r from t);
create table j as select json_object('id', id, 'name', name, 'list', json_array(k, k + 1)) doc from t where id % 10 = 0;
select sum(json_extract(doc, '$.list[1]')), count(distinct json_extract(doc, '$.name')) from j;
vacuum;
pragma integrity_check;
