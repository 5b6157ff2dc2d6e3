import org.testng.annotations.AfterMethod;
import org.testng.annotations.Test;

public class BrokenTearDownTest {
    @AfterMethod
    public void fails() {
        throw new IllegalStateException("tear-down failed");
    }

    @Test
    public void teardown() {}
}
