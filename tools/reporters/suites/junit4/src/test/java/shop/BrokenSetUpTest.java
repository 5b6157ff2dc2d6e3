package shop;

import org.junit.Before;
import org.junit.Test;

public class BrokenSetUpTest {
    @Before
    public void fails() {
        throw new IllegalStateException("set-up failed");
    }

    @Test
    public void setup() {}
}
