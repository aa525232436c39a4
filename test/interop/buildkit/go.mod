module entrepot.invalid/buildkit

go 1.24.0

require github.com/moby/buildkit v0.34.2
