-- $1 handler, $2 version, $3 number, $4 digest, $5 manifest, $6 metadata, $7 schemas, $8 signature, $9 source,
-- $10 who
insert into fm_handler_versions (handler, version, number, digest, manifest, metadata, schemas, signature,
    source, pushed_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
