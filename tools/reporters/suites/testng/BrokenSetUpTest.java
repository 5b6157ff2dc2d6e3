import org.testng.annotations.BeforeClass;
import org.testng.annotations.Test;

public class BrokenSetUpTest {
    @BeforeClass
    public void fails() {
        throw new IllegalStateException("set-up failed");
    }

    @Test
    public void setup() {}
}
