package basic

import (
	"os"
	"testing"
)

func TestHostile(t *testing.T) {
	text, _ := os.ReadFile("../hostile.txt")
	t.Run(`hostile <b>&"]]> 😀 #1`, func(t *testing.T) { t.Fatal(string(text)) })
}

func TestPass(t *testing.T) {}

func TestFail(t *testing.T) { t.Fatal("1 is not 2") }

func TestSkip(t *testing.T) { t.Skip("not on this machine") }

func TestRetry(t *testing.T) {
	if _, err := os.Stat("../retried"); err != nil {
		os.WriteFile("../retried", nil, 0o644)
		t.Fatal("fails the first time")
	}
}

func TestTwins(t *testing.T) {
	for _, number := range []int{1, 2} {
		t.Run("twin", func(t *testing.T) {
			if number != 2 {
				t.Fatal("is not 2")
			}
		})
	}
}

func TestTeardown(t *testing.T) {
	t.Cleanup(func() { t.Error("tear-down failed") })
}
