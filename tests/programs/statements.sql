CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT NOT NULL, people INTEGER, share REAL);
CREATE INDEX by_people ON city (people DESC);
BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
  INSERT INTO city SELECT i, printf('city %04d', i * 7919 % 2003), i * i * 31 % 100003, i / 7.0 FROM n;
COMMIT;
SELECT count(*), sum(people), min(name), max(name), round(avg(share), 6) FROM city;
SELECT name, people FROM city ORDER BY people DESC, name LIMIT 5;
UPDATE city SET name = upper(name) WHERE id % 100 = 0;
DELETE FROM city WHERE people < 1000;
SELECT name, length(name), people, printf('%.3f', share) FROM city WHERE name LIKE 'CITY %' ORDER BY id LIMIT 4;
CREATE TABLE visit (city REFERENCES city, day TEXT, PRIMARY KEY (city, day)) WITHOUT ROWID;
INSERT INTO visit SELECT id, date('2024-02-27', '+' || (id % 5) || ' days') FROM city;
SELECT day, count(*), group_concat(city, ' ') FROM (SELECT * FROM visit ORDER BY day, city LIMIT 12) GROUP BY day;
SELECT a.people / 10000 AS tens, count(*), total(b.city) FROM city a JOIN visit b ON b.city = a.id GROUP BY 1 ORDER BY 1;
SELECT id, sum(people) OVER (ORDER BY id ROWS 2 PRECEDING) FROM city WHERE id < 60 LIMIT 6;
SELECT json_extract('{"a":[1,2.5,{"b":null}]}', '$.a[1]'), hex(zeroblob(3)), typeof(1e3), 9223372036854775807 + 0, 1.0 / 3;
PRAGMA integrity_check;
SELECT no_such_column FROM city;
