package logfilter_test

import (
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }
