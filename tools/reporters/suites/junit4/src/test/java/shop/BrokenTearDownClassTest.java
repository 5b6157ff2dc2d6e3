package shop;

import org.junit.AfterClass;
import org.junit.Test;

public class BrokenTearDownClassTest {
    @AfterClass
    public static void fails() {
        throw new IllegalStateException("tear-down of the class failed");
    }

    @Test
    public void teardown() {}
}
