module entrepot.invalid/tokens

go 1.24.0

require (
	github.com/docker/distribution v2.8.3+incompatible
	github.com/docker/libtrust v0.0.0-20160708172513-aabc10ec26b7
	github.com/gorilla/mux v1.8.1
	github.com/sirupsen/logrus v1.9.3
	golang.org/x/crypto v0.45.0
)
