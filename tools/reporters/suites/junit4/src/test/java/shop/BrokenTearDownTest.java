package shop;

import org.junit.After;
import org.junit.Test;

public class BrokenTearDownTest {
    @After
    public void fails() {
        throw new IllegalStateException("tear-down failed");
    }

    @Test
    public void teardown() {}
}
