package broken

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	fmt.Println("set-up failed")
	os.Exit(1)
}

func TestSetup(t *testing.T) {}
