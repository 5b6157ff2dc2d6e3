package slow

import (
	"testing"
	"time"
)

func TestTimeout(t *testing.T) { time.Sleep(30 * time.Second) }
