package shop;

import org.junit.BeforeClass;
import org.junit.Test;

public class BrokenSetUpClassTest {
    @BeforeClass
    public static void fails() {
        throw new IllegalStateException("set-up of the class failed");
    }

    @Test
    public void setup() {}
}
