package panics

import "testing"

func TestBefore(t *testing.T) {}

func TestError(t *testing.T) { panic("not an assertion") }

func TestAfter(t *testing.T) {}
