-- $1 handler, $2 version. The size of a component is known without reading it.
select version.handler, version.version, version.number, version.digest,
    octet_length(component.bytes)::bigint as component_bytes, version.manifest, version.metadata,
    version.schemas, version.signature, version.source, version.pushed_by, version.pushed_at,
    version.activated_at
from fm_handler_versions as version
join fm_components as component on component.digest = version.digest
where version.handler = $1 and version.version = $2
