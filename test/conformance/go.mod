module entrepot.invalid/conformance

go 1.17

require github.com/opencontainers/distribution-spec/conformance v0.0.0-20230516164017-7fcdf80f3c8b
