package shop;

import static org.junit.Assert.assertEquals;

import org.junit.Test;
import org.junit.runner.RunWith;
import org.junit.runners.Parameterized;

@RunWith(Parameterized.class)
public class TwinsTest {
    @Parameterized.Parameters
    public static Object[] numbers() {
        return new Object[] {1, 2};
    }

    @Parameterized.Parameter public int number;

    @Test
    public void twins() {
        assertEquals(2, number);
    }
}
